# add_recipes(TARGET): the recipes of etc/recipes as part of the program (recipe::shipped_recipes), so that it needs no files
# beside itself.
function(add_recipes target)
  file(GLOB recipes CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/etc/recipes/*.recipe)
  set(entries "")
  foreach(file ${recipes})
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} text)
    # A string literal may be 64 KiB at most, which all compilers take.
    string(APPEND entries "      {\"${name}\", R\"oobd(${text})oobd\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/recipes/shipped_recipes.cc @ONLY CONTENT
[=[// Made by cmake/recipes.cmake of etc/recipes.
#include "recipe/recipe.h"

namespace oob::recipe {

const std::map<std::string, std::string_view>& shipped_recipes() {
  static const std::map<std::string, std::string_view> recipes = {
@entries@  };
  return recipes;
}

}  // namespace oob::recipe
]=])
  target_sources(${target} PRIVATE ${CMAKE_BINARY_DIR}/recipes/shipped_recipes.cc)
endfunction()
